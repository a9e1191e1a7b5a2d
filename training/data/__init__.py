"""Files, folders and named corpora → documents: the one reader of train, evaluate and predict."""
