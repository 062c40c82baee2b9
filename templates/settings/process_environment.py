from decouple import Config, Csv, RepositoryEmpty

BASE_DIR = Path(__file__).resolve().parent.parent

# From the process environment only: no file is looked for, here or in the folders above.
# https://github.com/HBNetwork/python-decouple#how-does-it-work
config = Config(RepositoryEmpty())

