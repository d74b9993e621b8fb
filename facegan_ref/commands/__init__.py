"""The commands of `facegan`, one subject a module; heavy imports happen inside them."""
