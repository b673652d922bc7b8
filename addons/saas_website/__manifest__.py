{
    "name": "SaaS Master: Website",
    "version": "19.0.1.0.0",
    "summary": "Page of plans, sign-up, and the customers' own pages",
    "author": "SaaS Master contributors",
    "license": "LGPL-3",
    "category": "Services/SaaS",
    "depends": ["saas", "website", "portal", "auth_signup"],
    "data": [
        "security/ir.model.access.csv",
        "security/saas_website_security.xml",
        "data/ir_cron_data.xml",
        "data/mail_template_data.xml",
        "data/website_data.xml",
        "views/saas_plan_views.xml",
        "views/saas_signup_views.xml",
        "views/res_config_settings_views.xml",
        "views/plans_templates.xml",
        "views/signup_templates.xml",
        "views/login_templates.xml",
        "views/portal_templates.xml",
    ],
    "assets": {
        "web.assets_frontend": [
            "saas_website/static/src/scss/**/*",
            "saas_website/static/src/interactions/**/*",
        ],
    },
}
