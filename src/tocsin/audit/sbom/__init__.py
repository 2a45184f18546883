"""Bills of materials in, components out: CycloneDX and SPDX in all their encodings.

One file an encoding makes plain mappings of what it reads; `cyclonedx`, `spdx` and `spdx3` say what
those mean. `interface` lists the readers.
"""
