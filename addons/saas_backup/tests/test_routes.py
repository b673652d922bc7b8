from odoo.http import Request
from odoo.tests import HttpCase, tagged

from odoo.addons.saas.tests.common import new_user
from odoo.addons.saas.tests.routes import describe, find_routes, read_table

from .common import BackupCommon

# stranger:  a customer, but not of this tenant
# colleague: a contact of this tenant's customer
# internal:  an employee without rights of ours
ROUTES = """
                                         public stranger colleague internal viewer operator manager
GET  /my/backups                         login  200      200       200      200    200      200
POST /my/backups                         login  200      200       200      200    200      200
GET  /my/backups/page/<page>             login  200      200       200      200    200      200
POST /my/backups/page/<page>             login  200      200       200      200    200      200
GET  /my/backups/<tenant_id>             login  404      200       404      404    404      404
POST /my/backups/<tenant_id>/make        login  404      303       404      404    404      404
POST /my/backups/<tenant_id>/restore     login  404      422       404      404    404      404
GET  /my/backups/certificate/<drill_id>  login  404      200       404      404    404      404
GET  /my/backups/erasure/<erasure_id>    login  404      200       404      404    404      404
GET  /saas/verify/<token>                200    200      200       200      200    200      200
GET  /saas/verify/<token>/certificate.json 200  200      200       200      200    200      200
GET  /saas/certificate-key.pem           200    200      200       200      200    200      200
"""  # noqa: E501


@tagged("post_install", "-at_install")
class TestBackupRoutes(BackupCommon, HttpCase):
    def prepare(self):
        super().prepare()
        self.tenant = self.create_running_tenant()
        backup = self.create_backup(self.tenant)
        backup.action_drill()
        self.run_operations()
        self.drill = backup.drill_ids
        erased = self.create_running_tenant("beta")
        erased.with_user(self.manager).action_delete(erase_now=True)
        self.run_operations()
        self.erasure = erased.erasure_ids
        for role, group in {
            "stranger": "base.group_portal",
            "colleague": "base.group_portal",
            "internal": "base.group_user",
            "viewer": "base.group_user,saas.group_viewer",
            "operator": "base.group_user,saas.group_operator",
            "manager": "base.group_user,saas.group_manager",
        }.items():
            login = f"backup-{role}"
            user = new_user(self.env, login, groups=group, password=login)
            if role == "colleague":
                user.partner_id.parent_id = self.customer

    def ask(self, role, method, route):
        login = None if role == "public" else f"backup-{role}"
        self.authenticate(login, login)
        path = route.replace("<page>", "1")
        path = path.replace("<tenant_id>", str(self.tenant.id))
        path = path.replace("<drill_id>", str(self.drill.id))
        path = path.replace("<erasure_id>", str(self.erasure.id))
        path = path.replace("<token>", self.drill.access_token)
        token = {"csrf_token": Request.csrf_token(self)}
        data = token if method == "POST" else None
        return self.url_open(path, data=data, allow_redirects=False)

    def test_every_route_answers_every_role_as_the_table_says(self):
        table, found = read_table(ROUTES), find_routes(self.env, ("saas_backup",))
        self.assertEqual(set(found), set(table), "a route is missing in the table")
        for key in table:
            answers = {role: describe(self.ask(role, *key)) for role in table[key]}
            self.assertEqual(answers, table[key], key)
