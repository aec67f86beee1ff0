"""The HTTP face: one module a group of endpoints. Only `bot.api` and `bot.app` know FastAPI."""
