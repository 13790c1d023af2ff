<?php
// Carries out operations by PHP's streams of ftp:// and ftps://, which come as JSON on standard
// input, and answers each as JSON; see library.py. Each opens a connection of its own.

$task = json_decode(stream_get_contents(STDIN), true, 512, JSON_THROW_ON_ERROR);

set_error_handler(function ($level, $message) {
    throw new ErrorException($message);
});

function url($path) {
    global $task;
    $scheme = empty($task['tls']) ? 'ftp' : 'ftps';
    $login = rawurlencode($task['user']) . ':' . rawurlencode($task['password']);
    // PHP decodes the login, but sends the path as it is.
    return "$scheme://$login@127.0.0.1:{$task['port']}/" . ltrim($path, '/');
}

function context($options = []) {
    global $task;
    $ssl = ['cafile' => $task['certificate'] ?? '', 'peer_name' => 'localhost'];
    return stream_context_create(['ftp' => ['overwrite' => true] + $options, 'ssl' => $ssl]);
}

function pass($from, $to) {
    if (stream_copy_to_stream($from, $to) === false) {
        throw new ErrorException('not copied');
    }
    fclose($from);
    fclose($to);
}

function perform($operation) {
    [$what, $one, $two, $offset] = array_pad($operation, 4, 0);
    switch ($what) {
        case 'get':
            $source = fopen(url($one), 'rb', false, context(['resume_pos' => $offset]));
            return pass($source, fopen($two, $offset ? 'ab' : 'wb'));
        case 'put':
            return pass(fopen($one, 'rb'), fopen(url($two), 'wb', false, context()));
        case 'append':
            return pass(fopen($one, 'rb'), fopen(url($two), 'ab', false, context()));
        case 'names':
            return scandir(url($one), SCANDIR_SORT_NONE, context());
        case 'list':
            $found = [];
            foreach (scandir(url($one), SCANDIR_SORT_NONE, context()) as $name) {
                if (strpbrk($name, '#?')) {
                    continue;
                }
                $path = url("$one/$name");
                $folder = is_dir($path);
                $found[] = ['name' => $name, 'folder' => $folder, 'size' => $folder ? 0 : filesize($path)];
            }
            return $found;
        case 'size': return filesize(url($one));
        case 'time': return filemtime(url($one));
        case 'make': return mkdir(url($one), 0777, false, context());
        case 'rename': return rename(url($one), url($two), context());
        case 'remove': return unlink(url($one), context());
        case 'remove folder': return rmdir(url($one), context());
        default: throw new ErrorException("no such operation: $what");
    }
}

// What PHP itself asks of TLS when it looks at a file.
stream_context_set_default(stream_context_get_options(context()));
$answers = [];
foreach ($task['operations'] as $operation) {
    try {
        $answers[] = ['value' => perform($operation)];
    } catch (ErrorException $error) {
        $answers[] = ['error' => $error->getMessage()];
    }
}
echo json_encode($answers, JSON_THROW_ON_ERROR), "\n";
