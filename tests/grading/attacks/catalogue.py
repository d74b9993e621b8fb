"""All hand-ins of the hostile class, by name."""

import altering  # noqa: F401
import breaking_out  # noqa: F401
import classes  # noqa: F401
import copying  # noqa: F401
import ending  # noqa: F401
import evading  # noqa: F401
import flooding  # noqa: F401
import folders  # noqa: F401
import forging  # noqa: F401
import insider  # noqa: F401
import looking  # noqa: F401
import lying  # noqa: F401
import notebooks  # noqa: F401
import patching  # noqa: F401
import reaching  # noqa: F401
import scripts  # noqa: F401
import waiting  # noqa: F401
from hand_ins import HAND_INS
from oddities import SUSPECTED

__all__ = ["HAND_INS", "SUSPECTED"]
