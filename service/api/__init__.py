"""The data plane: HTTP in, flow, HTTP out. One blueprint a resource, views of a few lines."""
