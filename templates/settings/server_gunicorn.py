WEB_THREADS = config("WEB_THREADS", default=32, cast=int)
WSGI_APPLICATION = "config.wsgi.application"
