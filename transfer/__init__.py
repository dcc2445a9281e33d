"""Does what a language model shows after pretraining tell what it will do after fine-tuning?

Importing this package never imports torch: everything from the committed tables to the book
works without it.
"""
