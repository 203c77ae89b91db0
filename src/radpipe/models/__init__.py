"""Networks: ADM with a noise level per pixel, its adapters and checkpoints; LaMa's generator."""
