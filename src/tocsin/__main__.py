"""`python -m tocsin`: the command, by the interpreter that runs this."""

from tocsin.cli.main import run

if __name__ == "__main__":
    run()
