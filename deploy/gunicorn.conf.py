"""For those who run gunicorn themselves: gunicorn -c deploy/gunicorn.conf.py 'service.app:create_app()'"""

from gevent import monkey

# Before anything below imports a socket.
monkey.patch_all()

from service.config import load_settings  # noqa: E402
from service.serving.options import gunicorn_options  # noqa: E402

globals().update(gunicorn_options(load_settings()))
