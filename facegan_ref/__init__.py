"""The reference package of the face GAN course: what the lessons build, complete and tested."""

__version__ = "0.1.0"
