from . import diffusion as diffusion
from . import lama as lama
from . import lama_losses as lama_losses
from . import loop as loop
from . import samples as samples
