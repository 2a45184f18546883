"""Makes an emulated i686 when it is imported, while its description can still be read."""

from tocsin.unpack.emulator_pool import preload

preload("i686")
