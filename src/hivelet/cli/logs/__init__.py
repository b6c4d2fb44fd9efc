"""The logs of a whole stack: `lines` takes lines apart and names them (pure), `streams` reads many logs at once, `stack` prints them in order."""
