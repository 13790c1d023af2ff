<?php
// Carries out operations by PHP's ftp extension, which come as JSON on standard input, and answers
// each as JSON; see library.py. The version of TLS is up to OPENSSL_CONF.

$task = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);
$connect = empty($task['tls']) ? 'ftp_connect' : 'ftp_ssl_connect';

set_error_handler(function ($level, $message) {
    throw new ErrorException($message);
});

function check($value) {
    if ($value === false || $value === -1) {
        throw new ErrorException('it returned ' . var_export($value, true));
    }
    return $value;
}

function entries($ftp, $path) {
    $found = [];
    foreach (check(ftp_mlsd($ftp, $path)) as $entry) {
        $folder = $entry['type'] !== 'file';
        $size = (int) ($entry['size'] ?? 0);
        $found[] = ['name' => $entry['name'], 'folder' => $folder, 'size' => $size];
    }
    return $found;
}

function perform($ftp, $operation) {
    [$what, $one, $two, $offset] = array_pad($operation, 4, null);
    switch ($what) {
        case 'get': return check(ftp_get($ftp, $two, $one, FTP_BINARY, $offset ?? 0));
        case 'put': return check(ftp_put($ftp, $two, $one, FTP_BINARY, $offset ?? 0));
        case 'append': return check(ftp_append($ftp, $two, $one, FTP_BINARY));
        case 'get ASCII': return check(ftp_get($ftp, $two, $one, FTP_ASCII));
        case 'put ASCII': return check(ftp_put($ftp, $two, $one, FTP_ASCII));
        case 'get in pieces':
            $state = ftp_nb_get($ftp, $two, $one, FTP_BINARY);
            while ($state === FTP_MOREDATA) {
                $state = ftp_nb_continue($ftp);
            }
            return check($state === FTP_FINISHED);
        case 'put in pieces':
            $state = ftp_nb_put($ftp, $two, $one, FTP_BINARY);
            while ($state === FTP_MOREDATA) {
                $state = ftp_nb_continue($ftp);
            }
            return check($state === FTP_FINISHED);
        case 'list': return entries($ftp, $one);
        case 'lines': return check(ftp_rawlist($ftp, $one));
        case 'names': return check(ftp_nlist($ftp, $one));
        case 'size': return check(ftp_size($ftp, $one));
        case 'time': return check(ftp_mdtm($ftp, $one));
        case 'where': return check(ftp_pwd($ftp));
        case 'enter': return check(ftp_chdir($ftp, $one));
        case 'make': return check(ftp_mkdir($ftp, $one));
        case 'rename': return check(ftp_rename($ftp, $one, $two));
        case 'remove': return check(ftp_delete($ftp, $one));
        case 'remove folder': return check(ftp_rmdir($ftp, $one));
        case 'mode': return check(ftp_chmod($ftp, $two, $one));
        case 'raw': return ftp_raw($ftp, $one);
        case 'system': return check(ftp_systype($ftp));
        default: throw new ErrorException("no such operation: $what");
    }
}

try {
    $ftp = check($connect('127.0.0.1', $task['port'], 20));
    check(ftp_login($ftp, $task['user'], $task['password']));
    if (($task['mode'] ?? '') !== 'active') {
        check(ftp_pasv($ftp, true));
    }
} catch (ErrorException $error) {
    fwrite(STDERR, isset($ftp) ? implode("\n", ftp_raw($ftp, 'NOOP')) . "\n" : '');
    fwrite(STDERR, $error->getMessage() . "\n");
    exit(1);
}
$answers = [];
foreach ($task['operations'] as $operation) {
    try {
        $answers[] = ['value' => perform($ftp, $operation)];
    } catch (ErrorException $error) {
        $answers[] = ['error' => $error->getMessage()];
    }
}
ftp_close($ftp);
echo json_encode($answers, JSON_THROW_ON_ERROR), "\n";
