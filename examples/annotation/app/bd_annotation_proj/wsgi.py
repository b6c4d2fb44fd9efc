"""The WSGI entry, for `runserver` and for `uwsgi --module bd_annotation_proj.wsgi`."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bd_annotation_proj.settings.staging")

application = get_wsgi_application()
