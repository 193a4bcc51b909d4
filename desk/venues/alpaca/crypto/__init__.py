"""The Alpaca crypto stream v1beta3: trades, and quotes from the quotes channel or from the top of the order books.

Source: docs.alpaca.markets, "Real-time Crypto Data".
"""
