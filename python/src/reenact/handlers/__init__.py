"""Models that stay Python: functions, classes, estimators and networks written as a folder that a server can run.

`carry` packs an object, `packages` says what it needs, `described` what it takes and gives, `code` writes the
`predict.py` that is run. Knows no server. Invariant: the folder holds all that a model needs besides packages of the
index, or it is not written.
"""
