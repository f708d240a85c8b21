<?php
// The lab's Roundcube. Names in @signs@ are filled in by start.py; a fault adds its lines at the end.
$config = [];
$config['db_dsnw'] = 'sqlite:////data/roundcube.db';
$config['des_key'] = '@WEBMAIL_KEY@';
$config['temp_dir'] = '/tmp';
$config['log_driver'] = 'stdout';
$config['plugins'] = ['managesieve', 'lab_login'];
$config['skin'] = 'elastic';
$config['identities_level'] = 0;
$config['enable_spellcheck'] = false;
$config['request_path'] = '/webmail';

// `front` takes it everywhere, and asks `admin` for the login. Its certificate is for another name.
$config['imap_host'] = '@WEBMAIL_TLS@front:10143';
$config['smtp_host'] = '@WEBMAIL_TLS@front:10025';
$config['managesieve_host'] = '@WEBMAIL_TLS@front:14190';
$config['managesieve_mbox_encoding'] = 'UTF-8';
$any_name = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false, 'allow_self_signed' => true]];
$config['imap_conn_options'] = $any_name;
$config['smtp_conn_options'] = $any_name;
$config['managesieve_conn_options'] = $any_name;
