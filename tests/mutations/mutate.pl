# Changes the files of a directory, and lists them: perl is what Debian's base image has.
#
#   mutate.pl change DIRECTORY ORDERS    ORDERS: a file of lines "verb argument...", %xx for odd bytes
#   mutate.pl list DIRECTORY             prints a line for each file, with all that matters of it
#   mutate.pl seen DIRECTORY             prints the same, without links between special files
#
# What fails is left: it fails everywhere.
use strict;
use warnings;
use Fcntl qw(:mode O_WRONLY O_CREAT O_APPEND O_TRUNC O_NOFOLLOW);
use POSIX ();

my $RECENT = 1_700_000_000;    # orders set older times, everything written is newer
my (undef, undef, undef, undef, $machine) = POSIX::uname();
my %CALL = $machine eq 'aarch64'
    ? (own => 54, set => 6, get => 9, list => 12, remove => 15)
    : (own => 260, set => 189, get => 192, list => 195, remove => 198);

my ($mode, $directory, $orders) = @ARGV;
my @lines;
if ($mode eq 'change') { open my $file, '<', $orders or die; @lines = <$file>; }
chdir $directory or die "$directory: $!";
umask 022;
if ($mode eq 'change') { order($_) for @lines; }
else                   { list(); }

sub order {
    my ($verb, @words) = split ' ', shift;
    s/%(..)/chr hex $1/ge for @words;
    my @paths = grep { m{/} } @words;
    return if grep { leads_through_link($_) } @paths;
    no strict 'refs';
    &{"do_$verb"}(@words);
}

sub leads_through_link {
    my @parts = split m{/}, shift;
    for my $last (1 .. $#parts - 1) { return 1 if -l join '/', @parts[0 .. $last]; }
    return 0;
}

sub put {
    my ($path, $text, $how) = @_;
    return if lstat $path and !-f _;
    sysopen my $file, $path, O_WRONLY | O_CREAT | O_NOFOLLOW | $how, 0644 or return;
    syswrite $file, $text;
}
sub do_append  { put(@_, O_APPEND) }
sub do_write   { put(@_, O_TRUNC) }
sub do_replace { my ($path, $text) = @_; put("$path.new", $text, O_TRUNC) and rename "$path.new", $path or unlink "$path.new" }
sub do_mkdir   { mkdir $_[0] }
sub do_unlink  { unlink $_[0] }
sub do_remove  { my $path = shift; if (-d $path and !-l $path) { do_remove($_) for names_in($path); rmdir $path } else { unlink $path } }
sub do_link    { link $_[0], $_[1] }
sub do_relink  { unlink $_[1]; link $_[0], $_[1] }
sub do_symlink { symlink $_[1], $_[0] }
sub do_fifo    { POSIX::mkfifo($_[0], 0644) }
sub do_device  { run('mknod', $_[0], 'c', 1, $_[1]) }
sub do_rename  { rename $_[0], $_[1] unless -d $_[0] and !-l $_[0] }
# rename(2) is refused for directories of lower layers, and mv(1) does this.
sub do_move    { return if -e $_[1]; run('cp', '-a', $_[0], $_[1]); do_remove($_[0]) }
sub do_chmod   { chmod oct $_[1], $_[0] unless -l $_[0] or -f _ && oct($_[1]) & 06000 }
sub do_chown   { my ($path, $uid, $gid) = @_; syscall $CALL{own}, -100, "$path", $uid + 0, $gid + 0, 0x100 }
sub do_chownall { run('chown', '-hR', "$_[1]:$_[2]", $_[0]) }
sub do_touch   { utime $_[1], $_[1], $_[0] unless -l $_[0] }
sub do_copy    { run('cp', $_[0], $_[1]) if is_file($_[0]) and (is_file($_[1]) or !lstat $_[1]) }
# Not into what is there: writing to a FIFO waits for who reads it.
sub do_clone   { run('cp', '-aT', $_[0], $_[1]) if !lstat($_[1]) or is_file($_[0]) and is_file($_[1]) }
sub do_backup  { rename $_[0], "$_[0].orig" unless -d $_[0]; run('cp', '-a', "$_[0].orig", $_[0]) }
sub is_file    { return lstat($_[0]) && -f _ }
sub do_set     { xattr('set', $_[0], $_[1], $_[2], length $_[2], 0) }
sub do_unset   { xattr('remove', $_[0], $_[1]) }

sub do_tar {
    my ($source, $target) = @_;
    return unless -d $source and !-l $source and mkdir $target;
    run('sh', '-c', 'tar -C "$0" --xattrs --xattrs-include=user.* -cf - . | tar -C "$1" --xattrs --xattrs-include=user.* -xpf -', $source, $target);
}

sub run {
    defined(my $child = fork) or die;
    if (!$child) {
        open STDIN, '<', '/dev/null'; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null';
        exec @_ or POSIX::_exit(127);
    }
    waitpid $child, 0;
}

sub xattr {
    my ($call, @arguments) = @_;
    $_ = "$_" for @arguments[0, 1];
    $arguments[3] += 0 if @arguments > 3;
    return syscall($CALL{$call}, @arguments > 3 ? (@arguments[0 .. 3], 0) : @arguments);
}

sub attributes {
    my $path = "$_[0]";
    my ($names, @found) = ("\0" x 4096);
    my $length = syscall $CALL{list}, $path, $names, 4096;
    return '' if $length <= 0;
    for my $name (sort split /\0/, substr $names, 0, $length) {
        my $value = "\0" x 4096;
        my $size = syscall $CALL{get}, $path, "$name", $value, 4096;
        push @found, "$name=" . ($size < 0 ? '?' : substr $value, 0, $size);
    }
    return join ',', @found;
}

sub names_in {
    my $path = shift;
    opendir my $names, $path or die "$path: $!";
    return map { "$path/$_" } grep { !/^\.\.?$/ } readdir $names;
}

sub list {
    my (%lines, %names);
    my @todo = ('.');
    while (defined(my $path = shift @todo)) {
        my (undef, $inode, $mode, undef, $uid, $gid, $number, $size, undef, $time) = lstat $path;
        my $content = '';
        if (S_ISDIR($mode)) {
            push @todo, names_in($path);
            $size = 0;
        }
        elsif (S_ISLNK($mode)) { $content = readlink $path; $mode = S_IFLNK | 0777; }
        elsif (S_ISREG($mode)) { local $/; open my $file, '<', $path or die "$path: $!"; $content = <$file>; }
        push @{ $names{$inode} }, $path;
        $number = 0 unless S_ISCHR($mode);
        $lines{$path} = [$inode, sprintf('%o', $mode), $uid, $gid, $size, $number, $time > $RECENT ? 'now' : $time, $content // '', attributes($path)];
    }
    for my $path (sort keys %lines) {
        my ($inode, @fields) = @{ $lines{$path} };
        my ($first) = sort @{ $names{$inode} };
        $first = '' if $mode eq 'seen' and $fields[0] !~ /^10/;
        print join("\t", map { s/([^ -~]|%)/sprintf '%%%02x', ord $1/gre } $path, $first, @fields), "\n";
    }
}
