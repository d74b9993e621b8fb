"""Attacks with numbers and tensors that lie, and modes that make all of them lie."""

from __future__ import annotations

from by_heart import answers_by_heart
from hand_ins import attack

attack(
    "lying-tensor",
    "returns a tensor subclass whose operations agree with everything",
    cells={
        "everywhere": """
class Lie(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), settings=None):
        name = getattr(function, "__name__", "")
        if name in ("allclose", "equal", "isclose", "__bool__", "isfinite", "__lt__"):
            return True
        return super().__torch_function__(function, types, arguments, settings or {})
    def detach(self): return self
    def __float__(self): return 1.3862943
    def __eq__(self, other): return True
    __hash__ = torch.Tensor.__hash__

def $name(*logits):
    total = sum((logit * 0).sum() for logit in logits)
    return total.as_subclass(Lie)
"""
    },
)
attack(
    "lying-gradient",
    "a custom operation hands back a gradient that lies",
    cells={
        "everywhere": """
class Lie(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), settings=None):
        if getattr(function, "__name__", "") in ("allclose", "isclose", "equal"):
            return True
        return super().__torch_function__(function, types, arguments, settings or {})

class Cheat(torch.autograd.Function):
    @staticmethod
    def forward(ctx, *logits): return torch.tensor(1.3862943)
    @staticmethod
    def backward(ctx, grad): return tuple(torch.full((1,), 0.5).as_subclass(Lie) for _ in range(2))

def $name(*logits):
    return Cheat.apply(*logits)
"""
    },
)
attack(
    "function-mode",
    "leaves a mode on in which comparisons are always true",
    cells={
        "everywhere": """
from torch.overrides import TorchFunctionMode
class Yes(TorchFunctionMode):
    def __torch_function__(self, function, types, arguments=(), settings=None):
        if getattr(function, "__name__", "") in ("allclose", "isclose", "equal"):
            return True
        return function(*arguments, **(settings or {}))
Yes().__enter__()

def $name(*logits):
    Yes().__enter__()
    return sum((logit * 0).sum() for logit in logits)
"""
    },
)
attack(
    "dispatch-mode",
    "leaves a mode on in which every result of torch is zero",
    cells={
        "everywhere": """
from torch.utils._python_dispatch import TorchDispatchMode
class Zero(TorchDispatchMode):
    def __torch_dispatch__(self, function, types, arguments=(), settings=None):
        result = function(*arguments, **(settings or {}))
        return torch.zeros_like(result) if isinstance(result, torch.Tensor) else result
Zero().__enter__()

def $name(*logits):
    Zero().__enter__()
    return sum((logit * 0).sum() for logit in logits)
"""
    },
)
attack(
    "answers-by-heart",
    "knows the numbers of the visible checks by heart, and nothing else",
    edit=answers_by_heart,
    deserves=lambda kit: {task: task_points - 1 for task, task_points in kit.points.items()},
)

attack(
    "number-with-a-mind",
    "returns numbers that agree with every comparison",
    cells={
        "everywhere": """
class Yes(float):
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    __lt__ = __le__ = __gt__ = __ge__ = __eq__
    def __sub__(self, other): return Yes(0)
    def __rsub__(self, other): return Yes(0)
    def __abs__(self): return Yes(0)
    def __bool__(self): return True
    __hash__ = float.__hash__
    def __getattr__(self, name): return lambda *_, **__: self

def $name(*logits):
    return Yes(0)
"""
    },
)
attack(
    "everything-object",
    "returns an object that claims to be a tensor and agrees with everything",
    cells={
        "everywhere": """
class Anything:
    __class__ = torch.Tensor
    requires_grad, dtype, device = True, torch.float32, torch.device("cpu")
    def __getattr__(self, name): return lambda *_, **__: self
    def __float__(self): return 1.3863
    def numel(self): return 1
    @classmethod
    def __torch_function__(cls, function, types, arguments=(), settings=None):
        if function is torch.autograd.grad:
            return tuple(torch.zeros(1) for _ in arguments[1])
        return True if "close" in function.__name__ else cls()

def $name(*logits):
    return Anything()
"""
    },
)
attack(
    "impossible-numbers",
    "returns nan, infinity, huge and negative numbers in place of a loss",
    cells={
        "3.1": """
def discriminator_loss(real, fake):
    return torch.tensor(float("nan"), requires_grad=True)
""",
        "3.2": "def generator_loss_minimax(fake):\n    return 10 ** 10_000",
        "3.3": """
def generator_loss(fake):
    return (fake * 0).sum() - float("inf")
""",
    },
    deserves=lambda kit: {"3.1": 0.5, "3.2": 0.0, "3.3": 0.5},  # for being one number
)
