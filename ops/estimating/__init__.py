"""`brigade estimate`: time, requests, dollars and limits of a workload, computed without a request to AWS.

`requests.py` has the measured requests of one object, `speeds.py` the speed of one function instance, `limits.py` what
bounds the rate, `costs.py` what is charged, and `prices.py` the price table.
"""
