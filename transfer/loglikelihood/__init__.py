"""Log-likelihoods of continuations after contexts, under one checkpoint.

The numbers are those of lm-evaluation-harness's `hf` model (0.4.13) to 1e-4 nats in float32: the
same strings, the same boundary between context and continuation, the same truncation from the
left. What two requests share is run once, whatever it is: the tokens of all requests form a tree
(`tree`), which is laid out in packs without padding, with attention that sees only the path of a
token (`attention`). The head of the model runs only where a token of a continuation is predicted,
and never over more rows than fit a small budget (`engine`).
"""

from transfer.loglikelihood.checkpoint import Checkpoint
from transfer.loglikelihood.encoding import Encoder
from transfer.loglikelihood.engine import Engine, Scores, Usage
from transfer.loglikelihood.tree import Encoded

__all__ = ["Checkpoint", "Encoded", "Encoder", "Engine", "Scores", "Usage"]
