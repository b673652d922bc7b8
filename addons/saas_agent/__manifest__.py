{
    "name": "SaaS Agent",
    "summary": "Login by one-time links, inside a tenant",
    "version": "19.0.1.0.0",
    "category": "Hidden/Tools",
    "author": "SaaS Master contributors",
    "license": "LGPL-3",
    "depends": ["web"],
    "external_dependencies": {"python": ["PyJWT", "cryptography"]},
    "post_load": "post_load",
}
