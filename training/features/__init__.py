"""The features beside words: bigrams, character n-grams, and what a document pools of them."""
