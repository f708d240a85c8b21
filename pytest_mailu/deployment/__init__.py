"""What the files of a deployment (compose file, mailu.env, overrides) mean for two releases, without a container.

Read `model.py` first. `reader.py` makes a `Deployment` of a folder; `check.py` compares what two releases make of it.
"""
