"""Running the service: the web server's options and the embedded Redis."""
