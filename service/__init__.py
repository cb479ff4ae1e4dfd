"""Program 2, online: checkpoints of a store, answered over HTTP.

cli.main       glyphscope-serve    the server, and the worker beside it
worker.main    glyphscope-worker   maximisations, outside the process that classifies
app            create_app(settings) -> FastAPI, for any ASGI server
"""
