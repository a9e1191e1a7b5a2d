"""The features of a document beside its words: bigrams and character n-grams."""
