"""Makes an emulated x86-64 when it is imported, while its description can still be read."""

from tocsin.unpack.emulator_pool import preload

preload("x86_64")
