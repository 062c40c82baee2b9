from decouple import Config, Csv, RepositoryEmpty, RepositoryEnv

BASE_DIR = Path(__file__).resolve().parent.parent

# The process environment wins over the file .env, which git ignores.
# https://github.com/HBNetwork/python-decouple#how-does-it-work
ENV_FILE = BASE_DIR / ".env"
config = Config(RepositoryEnv(ENV_FILE) if ENV_FILE.exists() else RepositoryEmpty())

