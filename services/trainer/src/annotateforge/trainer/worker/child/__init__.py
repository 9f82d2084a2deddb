"""The process that trains: gets one order on its standard input, drives ultralytics, reports through a pipe.

Only here torch and ultralytics are imported. The network is out of reach, see `network`.
"""
