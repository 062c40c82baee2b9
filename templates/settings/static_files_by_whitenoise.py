# https://whitenoise.readthedocs.io/en/stable/django.html
STATIC_STORAGE = "whitenoise.storage.CompressedManifestStaticFilesStorage"
