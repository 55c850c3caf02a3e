# Reads mails on stdin, each after a line with its length, and prints for each what MIME::Parser found: a line of JSON
# (sound and text in base64).
use strict;
use warnings;
use Encode qw(decode);
use JSON::PP;
use MIME::Base64 qw(encode_base64);
use MIME::Parser;

binmode STDIN;
my $parser = MIME::Parser->new;
$parser->output_to_core(1);
$parser->tmp_to_core(1);
$| = 1;

sub header {
    my ($mail, $name) = @_;
    my @found = $mail->head->get($name);
    die "header $name: " . scalar(@found) . "\n" if @found != 1;
    my $text = $found[0];
    $text =~ s/\r?\n[ \t]/ /g;
    $text =~ s/\r?\n\z//;
    return decode('MIME-Header', $text);
}

while (my $length = <STDIN>) {
    my $wire;
    read(STDIN, $wire, $length) == $length or die "the mail ends too early\n";
    my $mail = $parser->parse_data($wire);
    my @parts = map {
        {
            type     => $_->effective_type,
            charset  => $_->head->mime_attr('content-type.charset'),
            name     => $_->head->mime_attr('content-type.name'),
            filename => $_->head->recommended_filename,
            content  => encode_base64($_->bodyhandle->as_string, ''),
        }
    } ($mail->parts ? $mail->parts : ($mail));
    print JSON::PP->new->ascii->canonical->encode({
        headers => { map { lc($_) => header($mail, $_) } qw(From To Subject Date Message-ID Auto-Submitted MIME-Version) },
        parts   => \@parts,
        problems => [$parser->results->errors, $parser->results->warnings],
    }), "\n";
}
