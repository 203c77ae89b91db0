"""Element-wise diffusion: schedule, forward and posterior process, and the one reverse loop."""
