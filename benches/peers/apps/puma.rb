# What a phased restart needs: workers that load the app themselves.
workers 4
threads 16, 16
preload_app! false
