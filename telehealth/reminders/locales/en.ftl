error-unsigned-webhook = This call does not bear the provider's signature.
