"""The command line of kaniko's executor and warmer, as builds of img.

Source: osscontainertools/kaniko, cmd/executor/cmd, cmd/warmer/cmd and pkg/config.
"""
