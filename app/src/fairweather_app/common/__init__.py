"""Parts without knowledge of weather or models: database, cache, time limit, logging, trace."""
