-- a copy of the master never writes into the stores of the original, nor prunes them
UPDATE saas_store SET active = false, secret_key_sealed = NULL, access_key = NULL,
       endpoint = 'http://neutralized.invalid', volume = 'neutralized', bucket = 'neutralized';
UPDATE ir_cron SET active = false
 WHERE id IN (SELECT res_id FROM ir_model_data
               WHERE module = 'saas_backup' AND model = 'ir.cron');
