"""Files of TOML that people write: read whole, and every mistake told with its line and key.

Text and a type come in; what is right of it, and problems, come out. It knows no file's meaning:
settings (`protect/configuration`) and rules of law (`jurisdiction`) are read with it.
"""
