"""`python -m facegan_ref` is the command `facegan`; `torchrun -m facegan_ref` starts several."""

from facegan_ref.cli import main

main()
