"""The command line of the stack: builds it, starts it, tests it, removes it.

Plain Python from 3.9 on without any package, as it runs before anything is installed.
"""
