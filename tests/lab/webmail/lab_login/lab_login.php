<?php

/**
 * The lab's sign-on: who has logged in to the web site is let in, by the headers that `front` sets.
 *
 * The settings with `lab_` are faults.
 */
class lab_login extends rcube_plugin
{
    const DOOR = '/webmail/sso.php';

    private $unwashed = '';

    public function init()
    {
        $hooks = ['startup', 'authenticate', 'login_after', 'login_failed', 'logout_after'];
        $config = rcmail::get_instance()->config;
        if ($config->get('lab_ascii_search')) {
            $hooks[] = 'imap_search_before';
        }
        if ($config->get('lab_unwashed')) {
            array_push($hooks, 'message_part_before', 'message_part_after');
        }
        if ($config->get('lab_forgets_contacts')) {
            $hooks[] = 'contact_create';
        }
        foreach ($hooks as $hook) {
            $this->add_hook($hook, [$this, $hook]);
        }
    }

    /** Who has no session here is to log in, whatever page is asked for. */
    public function startup($asked)
    {
        return empty($_SESSION['user_id']) ? ['action' => 'login'] + $asked : $asked;
    }

    /** `front` names the user at one address alone; a browser that is elsewhere is sent there. */
    public function authenticate($login)
    {
        $user = $_SERVER['HTTP_X_REMOTE_USER'] ?? '';
        $token = $_SERVER['HTTP_X_REMOTE_USER_TOKEN'] ?? '';
        if ($user === '' || $token === '') {
            $this->leave($_SERVER['SCRIPT_NAME'] === self::DOOR ? '' : self::DOOR);
        }
        return ['user' => $user, 'pass' => $token, 'valid' => true, 'cookiecheck' => false] + $login;
    }

    public function login_after($query)
    {
        $this->leave('/webmail/');
    }

    /** Of two first logins at the same time one fails, since the other has just made the user: so it tries again. */
    public function login_failed($why)
    {
        $this->leave(self::DOOR);
    }

    public function logout_after($who)
    {
        $this->leave('/sso/logout');
    }

    public function imap_search_before($search)
    {
        return ['search' => preg_replace('/[^\x00-\x7f]+/', '?', $search['search'])] + $search;
    }

    public function message_part_before($part)
    {
        $this->unwashed = $part['body'];
        return $part;
    }

    public function message_part_after($part)
    {
        return $part['type'] == 'html' ? ['body' => $this->unwashed] + $part : $part;
    }

    public function contact_create($contact)
    {
        return ['abort' => true, 'result' => 1] + $contact;
    }

    private function leave($where)
    {
        header($where === '' ? 'HTTP/1.1 403 Forbidden' : "Location: $where");
        exit;
    }
}
