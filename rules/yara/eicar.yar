// The file that the anti-virus industry agreed on for testing. It is spelt as bytes, so that this text is not itself such a file.
rule EICAR_test_file : test
{
    meta:
        id = "8f6e1c0e-6f0b-4a57-9a43-0d5d0b8f1a21"
        title = "EICAR anti-virus test file"
        description = "The file begins with the EICAR test string; it is harmless and shows that detection works"
        severity = "high"
        confidence = 99
        threat_type = "malware"
        false_positives = "Somebody tests the protection of this endpoint."

    strings:
        $eicar = {
            58 35 4F 21 50 25 40 41 50 5B 34 5C 50 5A 58 35 34
            28 50 5E 29 37 43 43 29 37 7D 24 45 49 43 41 52 2D
            53 54 41 4E 44 41 52 44 2D 41 4E 54 49 56 49 52 55
            53 2D 54 45 53 54 2D 46 49 4C 45 21 24 48 2B 48 2A
        }

    condition:
        $eicar at 0
}
