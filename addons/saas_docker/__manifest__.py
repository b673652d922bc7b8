{
    "name": "SaaS Master: Docker",
    "version": "19.0.1.0.0",
    "summary": "Docker engines as servers for tenants",
    "author": "SaaS Master contributors",
    "license": "LGPL-3",
    "category": "Services/SaaS",
    "depends": ["saas"],
    "external_dependencies": {
        "python": ["docker"],
    },
    "data": [
        "views/saas_server_views.xml",
        "views/saas_proxy_views.xml",
    ],
}
