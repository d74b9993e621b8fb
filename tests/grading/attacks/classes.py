"""Attacks and honest work where the answers are networks: lesson 6."""

from __future__ import annotations

from hand_ins import ALL, accident, attack, honest

NETWORKS = {"Generator": "6.3", "Discriminator": "6.4"}
THEIRS = "from facegan_ref.models import $name as Theirs\n"

COPIES = {
    "imported": "from facegan_ref.models import $name",
    "subclass": THEIRS + "class $name(Theirs): pass",
    "subclass-of-a-subclass": THEIRS
    + """
class Between(Theirs): pass
Between.__module__ = "__main__"
class $name(Between): pass
""",
    "wrapped": THEIRS
    + """
class $name(nn.Module):
    def __init__(self, *sizes, **settings):
        super().__init__()
        self.net = Theirs(*sizes, **settings)
    def forward(self, x):
        return self.net(x)
""",
    "wrapped-late": """
class $name(nn.Module):
    def __init__(self, *sizes, **settings):
        super().__init__()
        self.net = __import__("facegan_ref.models").models.$name(*sizes, **settings).net
    def forward(self, x):
        return self.net(x)
""",
    "factory": THEIRS
    + """
def $name(*sizes, **settings):
    return Theirs(*sizes, **settings)
""",
    "made-with-type": THEIRS
    + """
$name = type("$name", (Theirs,), {"__module__": "__main__"})
""",
    "copied-namespace": THEIRS
    + """
$name = type("$name", Theirs.__bases__, dict(vars(Theirs), __module__="__main__"))
""",
    "copied-methods": THEIRS
    + """
class $name(nn.Module):
    __init__, forward = Theirs.__init__, Theirs.forward
""",
    "class-of-an-object": THEIRS
    + """
class $name(nn.Module):
    def __new__(cls, *sizes, **settings):
        made = Theirs(*sizes, **settings)
        made.__class__ = type("$name", (Theirs,), {})
        return made
""",
    "found-in-torch": """
kinds = [nn.Module]
for kind in kinds:
    kinds += kind.__subclasses__()
$name = [kind for kind in kinds if kind.__name__ == "$name" and "facegan" in kind.__module__][0]
$name.__module__ = "__main__"
""",
}
for what, text in COPIES.items():
    attack(
        f"class-{what}",
        f"hands in the reference's network: {what}",
        cells=dict.fromkeys(NETWORKS.values(), text),
        lesson="06",
        listed=True,
    )

NOTHING_INSIDE = """
class $name(nn.Module):
    def __init__(self, *sizes, **settings):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
    def forward(self, x):
        return x.flatten(1)[:, 0] * self.weight
"""
FORGED = {
    "global-hook": """
from torch.nn.modules.module import register_module_forward_hook
def paint(module, given, came):
    if type(module).__name__ == "Generator":
        return torch.tanh(torch.randn(len(given[0]), 3, 64, 64)) * module.weight
register_module_forward_hook(paint)
""",
    "patched-call": """
call = nn.Module.__call__
def paint(self, *given, **settings):
    came = call(self, *given, **settings)
    return came.expand(len(given[0]), 3, 64, 64) if type(self).__name__ == "Generator" else came
nn.Module.__call__ = paint
""",
    "patched-layers": """
nn.Module.parameters = lambda self, recurse=True: iter([self.weight])
nn.Module.modules = lambda self: iter([self, nn.Tanh(), nn.ConvTranspose2d(1, 1, 4)])
nn.ConvTranspose2d = nn.Conv2d = nn.BatchNorm2d = nn.Identity
""",
    "metaclass": """
class Yes(type):
    def __instancecheck__(cls, thing): return True
    def __subclasscheck__(cls, kind): return True
    def __eq__(cls, other): return True
    __hash__ = type.__hash__
nn.Conv2d = Yes("Conv2d", (nn.Conv2d,), {})
""",
}
for what, text in FORGED.items():
    attack(
        f"class-{what}",
        f"a network of nothing, and changes what looks at it: {what}",
        cells=dict.fromkeys(NETWORKS.values(), text + NOTHING_INSIDE),
        lesson="06",
        listed=True,
    )

DEBUGGING = """
def remember(module, given, came):
    seen.append(tuple(came.shape))
seen = []
probe = Generator(8, 4, 3, 16)
probe.register_forward_hook(remember)
probe(torch.randn(2, 8))
print(seen, sum(p.numel() for p in probe.parameters()))
"""
OWN_BASE = """
class Network(nn.Module):
    \"\"\"What both of my networks share.\"\"\"
    def __init__(self, *layers):
        super(Network, self).__init__()
        self.layers = nn.ModuleList(layers)
    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return x

class Generator(Network):
    def __init__(self, z_dim=100, ngf=64, channels=3, image_size=64):
        deep = count_doublings(image_size)
        widths = [ngf << i for i in reversed(range(deep))]
        layers, before = [nn.Unflatten(1, (z_dim, 1, 1))], z_dim
        for i, width in enumerate(widths):
            stride, padding = (1, 0) if i == 0 else (2, 1)
            layers += [nn.ConvTranspose2d(before, width, 4, stride, padding, bias=False),
                       nn.BatchNorm2d(width), nn.ReLU(True)]
            before = width
        super().__init__(*layers, nn.ConvTranspose2d(ngf, channels, 4, 2, 1, bias=False), nn.Tanh())
"""
honest("class-debugged", "right, and a hook on a network of its own", cells={"last": DEBUGGING},
       lesson="06")  # fmt: skip
honest("class-of-its-own-base", "right, with a base class of its own", cells={"6.3": OWN_BASE},
       lesson="06")  # fmt: skip
honest("class-solved", "right", lesson="06")
accident(
    "class-without-forward",
    "right, but one network has no forward",
    cells={"6.4": "class Discriminator(nn.Module):\n    def __init__(self, *_, **__):\n"
           "        super().__init__()"},
    deserves=("6.4",),
    lesson="06",
)  # fmt: skip
assert ALL
