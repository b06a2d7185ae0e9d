"""A long run of the real server under load, crashes and misbehaving clients: does what has to stay flat do so?"""
