STATIC_STORAGE = "django.contrib.staticfiles.storage.ManifestStaticFilesStorage"
